"""From the hub, an installed package or a local folder to ``data/encoder/``."""

from stages.recommender import artifacts
from stages.recommender.corpora.encoder_files import gather_encoder
from stages.recommender.errors import run_stage
from stages.recommender.params import load_params


def main() -> None:
    """Read the parameters and gather the files, each checked."""
    encoder = load_params().encoder
    with artifacts.atomic_folder(artifacts.ENCODER) as folder:
        gather_encoder(encoder, folder)
    print(f"{len(encoder.sha256)} files of the encoder")


if __name__ == "__main__":
    run_stage(main)
