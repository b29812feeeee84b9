"""The embedded servers for the tests of the DAG, as ccb-luigi's own environment has them.

`python servers.py DIRECTORY`: prints the two addresses as JSON once both answer and the tables are there,
and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ccb_luigi.database import schema
from ccb_luigi.demo.servers import servers
from ccb_luigi.settings import Settings

with servers(Path(sys.argv[1])) as (postgres, mongo):
    schema.upgrade(Settings(postgres_url=postgres.url))
    print(json.dumps({"postgres": postgres.url, "mongo": mongo.uri}), flush=True)
    sys.stdin.read()
