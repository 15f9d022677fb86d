from stages.recommender.reporting import published


def test_the_paper_and_the_notebook_name_the_four_variants() -> None:
    variants = ["baseline", "rnn", "multitask", "rnn-multitask"]
    assert list(published.PAPER_NDCG_AT_10) == variants
    assert list(published.NOTEBOOK_NDCG_AT_10) == variants
    assert published.PAPER_NDCG_AT_10["rnn-multitask"] == 0.169
    assert published.NOTEBOOK_NDCG_AT_10["baseline"] == 0.0440


def test_recall_grows_with_the_cut() -> None:
    for system in published.TURN_SYSTEMS:
        for recall in (system.every_movie, system.fresh):
            assert recall is None or 0 < recall.at_1 < recall.at_10 < recall.at_50 < 1


def test_five_systems_are_scored_on_fresh_movies() -> None:
    fresh = [system.name for system in published.TURN_SYSTEMS if system.fresh is not None]
    assert fresh == ["UniCRS", "ECR", "MESE", "PECRS", "ReFICR"]
