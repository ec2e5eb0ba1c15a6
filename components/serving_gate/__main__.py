"""The client's process: `python -m components.serving_gate REQUEST_FILE PARENT_PROCESS_ID`."""

import sys

from components.serving_gate.lifetime import end_with_parent

end_with_parent(int(sys.argv[2]))

from components.serving_gate import client  # noqa: E402 (imports TensorFlow, which takes seconds)

client.main(sys.argv[1])
