from xplain.explanation import Comparison

ROWS = (
    {"method": "rise", "score": 0.25, "n": 2000, "seconds": 1.5},
    {"method": "x", "score": None, "n": 1, "seconds": 2.0},
)


def test_the_table_is_aligned_text():
    assert Comparison((), ROWS).table(time=False) == (
        "method  score      n\nrise     0.25  2,000\nx           -      1"
    )


def test_what_a_figure_means_and_why_a_method_is_missing_stand_below():
    compared = Comparison((), ROWS, (("score", "high is good"),), {"grad-cam": "no\x1b[31m layers"})
    assert str(compared).splitlines()[-2:] == ["score: high is good", "grad-cam: refused: no␛[31m layers"]


def test_rows_are_those_of_one_run_or_of_any():
    assert Comparison((), ROWS).rows() == list(ROWS)
    assert [sorted(row) for row in Comparison((), ROWS).rows(time=False)] == [["method", "n", "score"]] * 2
