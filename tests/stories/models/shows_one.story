run loam models show smollm2-135m-instruct-q4_1
expect exit 0
expect out contains Q4_1
run loam models show smollm2-135m-instruct-q4_1 --json
expect json /role == "chat"
expect json /parameters > 100000000
run loam models show all-minilm-l6-v2 --json
expect json /role == "embedding"
