"""What a job of the type `__TYPE__` runs: copy it into `scripts/` of the workspace, or put your own there."""

import argparse
import time

parser = argparse.ArgumentParser()
parser.add_argument("--who", required=True)
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--dry-run", action="store_true")
options = parser.parse_args()

print(f"hello {options.who}")
for step in range(1, options.steps + 1):
    print(f"step {step}/{options.steps} loss={1 / step:.4f}")
    if not options.dry_run:
        time.sleep(0.01)
print(f"result = {options.who}-{options.steps}")
