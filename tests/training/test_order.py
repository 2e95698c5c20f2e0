"""The order of the rows: each once per epoch, similar lengths together, and reproducible."""

from tuner.training.order import GroupedByLength


def test_every_row_appears_once_and_each_epoch_has_another_order() -> None:
    order = GroupedByLength([7, 1, 9, 3, 5, 5, 8, 2, 4, 6], 4, seed=2**50)
    epochs = []
    for epoch in range(3):
        order.set_epoch(epoch)
        epochs.append(list(order))
        assert sorted(epochs[-1]) == list(range(10))
    assert epochs[0] != epochs[1] != epochs[2]
    order.set_epoch(1)
    assert list(order) == epochs[1]


def test_batches_hold_rows_of_similar_length() -> None:
    lengths = [10 * (1 + index % 20) for index in range(60)]
    rows = list(GroupedByLength(lengths, 6, seed=1))
    batches = [[lengths[row] for row in rows[begin : begin + 6]] for begin in range(0, 60, 6)]
    padded = sum(6 * max(batch) for batch in batches)
    assert sum(lengths) / padded > 0.8


def test_fewer_rows_than_a_batch() -> None:
    assert sorted(GroupedByLength([3, 4], 8, seed=1)) == [0, 1]
