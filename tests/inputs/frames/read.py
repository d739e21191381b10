"""Reads data frames of the real pandas and polars; prints what became of each as a line of JSON."""

import json

import numpy as np
import pandas as pd
import polars as pl

from xplain import XplainError
from xplain.inputs import signals

TIMES = pd.date_range("2024-03-31 00:59:59.98", periods=4, freq="20ms")
WALK = pd.DataFrame({"x": [1.0, 2.5, 4.0, 3.0], "y": [5, 6, 7, 9]})
POLARS = pl.DataFrame({"x": [1.0, 2.5, 4.0, 3.0], "y": [5, 6, 7, 9]})

RIGHT = {
    "plain": WALK,
    "a slice": pd.concat([WALK, WALK], ignore_index=True)[4:8],
    "times": WALK.set_index(TIMES),
    "times of a zone": WALK.set_index(TIMES.tz_localize("UTC").tz_convert("Europe/Berlin")),
    "durations": WALK.set_index(TIMES - TIMES[0]),
    "seconds": WALK.set_index(np.arange(4) / 50),
    "milliseconds": WALK.set_index(pd.Index([0, 20, 40, 60], name="time_ms")),
    "a column of times": WALK.assign(when=TIMES),
    "a column of times of a zone": WALK.assign(when=TIMES.tz_localize("UTC")),
    "the index as a column": WALK.reset_index(),
    "types with NA": WALK.convert_dtypes(),
    "float32": WALK.astype("float32"),
    "polars": POLARS,
    "polars times": POLARS.with_columns(pl.Series("when", TIMES.to_numpy())),
    "polars durations": POLARS.with_columns(pl.Series("when", [0, 20, 40, 60]).cast(pl.Duration("ms"))),
    "csv": WALK.to_csv().encode(),
    "csv without index": WALK.to_csv(index=False).encode(),
    "csv of the continent": WALK.to_csv(sep=";", decimal=",").encode(),
    "csv with times": WALK.set_index(TIMES).to_csv().encode(),
    "csv with times of a zone": WALK.set_index(TIMES.tz_localize("Europe/Berlin")).to_csv().encode(),
    "csv with durations": WALK.set_index(TIMES - TIMES[0]).to_csv(sep="\t").encode(),
    "json of records": WALK.to_json(orient="records").encode(),
    "polars csv": POLARS.write_csv().encode(),
}
SERIES = {
    "series": WALK.x,
    "series with times": WALK.x.set_axis(TIMES),
    "polars series": POLARS["x"],
}
REFUSED = {
    "rows left out": WALK[WALK.x != 2.5],
    "shuffled": WALK.iloc[[2, 0, 1, 3]],
    "another rate": WALK.set_index(TIMES[0] + (TIMES - TIMES[0]) * 2),
    "a gap": WALK.set_index(pd.to_datetime([0, 20, 40, 100], unit="ms")),
    "labels": WALK.assign(what="walk"),
    "categories": WALK.assign(what=pd.Categorical(["a", "a", "b", "b"])),
    "truths": WALK.assign(what=True),
    "missing": pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int64")}),
    "levels": WALK.set_index(["x", "y"]).assign(z=1),
    "periods": WALK.set_index(pd.period_range("2024-01", periods=4, freq="M")),
    "csv with rows left out": WALK[WALK.x != 2.5].to_csv().encode(),
    "csv without titles": WALK.to_csv(header=False).encode(),
    "polars missing": pl.DataFrame({"x": [1, None]}),
    "polars lazy": POLARS.lazy(),
}

for name, recording in (RIGHT | SERIES | REFUSED).items():
    try:
        loaded = signals.load(recording, rate_hz=50)
        found = [name, loaded.axes, loaded.values.tolist()]
    except XplainError as error:
        found = [name, str(error), None]
    print(json.dumps(found))
