"""ImageExampleGen: reads labelled pictures into TFX examples."""
