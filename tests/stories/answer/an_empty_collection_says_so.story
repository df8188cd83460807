file folder/a.md: The door code is 4711.
ingest folder
remove folder/a.md
ingest folder
run loam ask --json "What is the door code?"
expect exit 1
expect json /abstained == true
expect json /reason == "empty_collection"
run loam ask "What is the door code?"
expect exit 1
expect out contains loam ingest PATH
