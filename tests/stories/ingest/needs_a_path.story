run loam ingest
expect exit 2
expect err contains PATH is missing
expect err lines 1
