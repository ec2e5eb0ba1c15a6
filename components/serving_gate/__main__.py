"""The client's process: `python -m components.serving_gate PARENT_PROCESS_ID < REQUEST`."""

import sys

from components.garbage import collect_seldom
from components.serving_gate.lifetime import end_with_parent

end_with_parent(int(sys.argv[1]))
collect_seldom()

from components.serving_gate import client  # noqa: E402 (imports TensorFlow, which takes seconds)

client.main(sys.stdin)
