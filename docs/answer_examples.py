"""Answer the README's example requests by the command ``recommend``, as a user would.

Run from the root, where the project is installed, as ``python docs/answer_examples.py [MODELS]``,
``MODELS`` a folder of trained models: writes what the command prints to
``docs/results/serving/examples.txt``.
"""

import subprocess
import sys
from pathlib import Path

from stages.recommender import artifacts
from stages.recommender.serving.web_examples import EXAMPLE_REQUESTS

ANSWERS = Path("docs/results/serving/examples.txt")
EXAMPLES = 4
MOVIES = 5


def main() -> None:
    """Ask all examples in one go."""
    models = sys.argv[1] if len(sys.argv) > 1 else str(artifacts.MODELS)
    command = [sys.executable, "-m", "stages.recommender.serving.command"]
    answered = subprocess.run(
        [*command, "--models", models, "-k", str(MOVIES)],
        input="\n".join(EXAMPLE_REQUESTS[:EXAMPLES]),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if answered.returncode:
        sys.exit(answered.returncode)
    lines = [line.rstrip() for line in answered.stdout.strip().splitlines()]
    artifacts.write_text(ANSWERS, "\n".join(lines) + "\n")
    print(answered.stdout)


if __name__ == "__main__":
    main()
