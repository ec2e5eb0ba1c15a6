"""TFX components of Graft. They import each other only through `components.features` and the leaves beside it."""
