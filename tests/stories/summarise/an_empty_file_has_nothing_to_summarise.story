bytes empty.md: 
run loam summarise empty.md --baseline-only --json
expect exit 1
expect json /summary is null
expect json /reason == "no_text"
