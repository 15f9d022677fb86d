"""What stages need not wait for before their work."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGES = ("ablate", "build_movie_map", "climb_ladder", "tokenize_titles", "train")
LATE = {"matplotlib", "pandas", "scipy", "torch._dynamo", "transformers"}
"""What takes long to import, and these use late or never."""


def test_stages_start_without_what_they_use_late_or_never() -> None:
    stages = ", ".join(f"stages.{stage}" for stage in STAGES)
    lines = f"import sys, {stages}; print(*sorted({LATE} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, check=True)
    assert told.stdout.decode().split() == []
