"""Writes types.parquet (Snappy), types.brotli.parquet, types.zstd.parquet, types.arrow (a stream), types.feather (a file,
LZ4) and types.csv: the same table, with the types that data frames have.

    python3 make_types.py       needs pyarrow 26
"""
import datetime
import decimal
from pathlib import Path

import pyarrow
import pyarrow.feather
import pyarrow.parquet

FOLDER = Path(__file__).parent
ROWS = range(60)


def gap(row, every, value):
    return None if row % every == 0 else value


day = datetime.date(2024, 1, 1)
start = datetime.datetime(2024, 1, 1, 6)
plain = {
    "whole": [gap(row, 7, row - 20) for row in ROWS],
    "part": [gap(row, 5, row / 8) for row in ROWS],
    "flag": [gap(row, 11, row % 3 == 0) for row in ROWS],
    "code": [f"{row % 12:03}" for row in ROWS],
    "digits": [str(10 + row % 12) for row in ROWS],
    "text": [gap(row, 6, ["a,b", 'say "c"', "é"][row % 3]) for row in ROWS],
    "day": [gap(row, 9, day + datetime.timedelta(days=row)) for row in ROWS],
    "time": [gap(row, 8, start + datetime.timedelta(hours=row)) for row in ROWS],
    "price": [decimal.Decimal(row * 25 - 300) / 100 for row in ROWS],
    "kind": [["cold", "warm"][row % 3 == 0] for row in ROWS],
}
types = {
    "whole": pyarrow.int64(),
    "part": pyarrow.float64(),
    "flag": pyarrow.bool_(),
    "code": pyarrow.string(),
    "digits": pyarrow.string(),
    "text": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
    "day": pyarrow.date32(),
    "time": pyarrow.timestamp("ns"),
    "price": pyarrow.decimal128(10, 2),
    "kind": pyarrow.string(),
}
table = pyarrow.table({name: pyarrow.array(plain[name], types[name]) for name in plain})
pyarrow.parquet.write_table(table, FOLDER / "types.parquet", compression="snappy", row_group_size=25)
pyarrow.parquet.write_table(table, FOLDER / "types.brotli.parquet", compression="brotli")
pyarrow.parquet.write_table(table, FOLDER / "types.zstd.parquet", compression="zstd")
pyarrow.feather.write_feather(table, FOLDER / "types.feather", compression="lz4", chunksize=25)
with pyarrow.ipc.new_stream(FOLDER / "types.arrow", table.schema) as stream:
    stream.write_table(table)

with open(FOLDER / "types.csv", "w", encoding="utf-8") as file:
    print(",".join(plain), file=file)
    for row in ROWS:
        cells = []
        for name, values in plain.items():
            value = values[row]
            text = "" if value is None else str(value)
            if name == "flag":
                text = text.lower()
            if isinstance(value, str):
                text = '"' + text.replace('"', '""') + '"'
            cells.append(text)
        print(",".join(cells), file=file)
