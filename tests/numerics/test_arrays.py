from statsmodels_mcla.numerics import consecutive_slices


def test_consecutive_slices_take_a_sequence_apart() -> None:
    parts = [(1, 2), (), (3,), (4, 5, 6)]
    whole = [x for part in parts for x in part]
    assert [tuple(whole[s]) for s in consecutive_slices(len(p) for p in parts)] == parts
    assert consecutive_slices([]) == ()
