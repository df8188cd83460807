file a.md: Words.
ingest a.md
run loam ask "   "
expect exit 2
expect err contains bad request: the question: it is empty
