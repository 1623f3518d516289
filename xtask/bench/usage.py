"""What others do with CloudTrail's logs: `usage.py inflate|chdb|duckdb FOLDER OUT`.

One question, per key: calls, first, last, distinct addresses, agents and actions; sorted rows go to OUT. `inflate` only inflates, with libdeflate, in
two processes: the floor under everybody.
"""

import glob
import os
import sys


def inflate(files, out):
    import deflate

    children = []
    for part in range(2):
        child = os.fork()
        if child == 0:
            for name in files[part::2]:
                with open(name, "rb") as file:
                    data = file.read()
                deflate.gzip_decompress(data, int.from_bytes(data[-4:], "little"))
            os._exit(0)
        children.append(child)
    for child in children:
        if os.waitpid(child, 0)[1] != 0:
            raise SystemExit("a process failed")


def chdb(files, out):
    import chdb

    record = (
        "Tuple(eventTime String, eventSource String, eventName String, sourceIPAddress String, userAgent String,"
        " userIdentity Tuple(accessKeyId String))"
    )
    question = f"""
      SELECT r.userIdentity.accessKeyId AS key, count(), min(r.eventTime), max(r.eventTime), uniqExact(r.sourceIPAddress),
             uniqExact(r.userAgent), uniqExact((r.eventSource, r.eventName))
      FROM (SELECT arrayJoin(JSONExtract(line, 'Records', 'Array({record})')) AS r
            FROM file('{out[0]}/**/*.json.gz', 'LineAsString', 'line String'))
      GROUP BY key ORDER BY key FORMAT CSV SETTINGS max_threads = 2"""
    write(out[1], str(chdb.query(question, "CSV")).replace('"', "").splitlines())


def duckdb(files, out):
    import duckdb

    record = (
        '{"eventTime":"VARCHAR","eventSource":"VARCHAR","eventName":"VARCHAR","sourceIPAddress":"VARCHAR","userAgent":"VARCHAR",'
        '"userIdentity":{"accessKeyId":"VARCHAR"}}'
    )
    duckdb.sql("SET threads = 2")
    # The best of several forms that were tried: each file is one line, read as CSV of one column, and taken apart by one function.
    rows = duckdb.sql(f"""
      SELECT r.userIdentity.accessKeyId AS key, count(*), min(r.eventTime), max(r.eventTime), count(DISTINCT r.sourceIPAddress),
             count(DISTINCT r.userAgent), count(DISTINCT r.eventSource || ' ' || r.eventName)
      FROM (SELECT unnest(json_transform(line, '{{"Records":[{record}]}}').Records) AS r
            FROM read_csv('{out[0]}/**/*.json.gz', columns={{'line': 'VARCHAR'}}, delim='\\x01', quote='', escape='', header=false,
                          max_line_size=268435456, auto_detect=false, parallel=true))
      GROUP BY key ORDER BY key""").fetchall()
    write(out[1], [",".join("" if value is None else str(value) for value in row) for row in rows])


def write(path, rows):
    with open(path, "w") as file:
        file.writelines(row + "\n" for row in sorted(rows))


if __name__ == "__main__":
    engine, folder, out = sys.argv[1:]
    {"inflate": inflate, "chdb": chdb, "duckdb": duckdb}[engine](
        sorted(glob.glob(folder + "/**/*.json.gz", recursive=True)), (folder, out)
    )
