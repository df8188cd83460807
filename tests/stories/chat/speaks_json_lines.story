run-input loam chat -n 8 --json
    Say hello.
expect exit 0
expect jsonl some /event == "text"
expect jsonl some /event == "done"
