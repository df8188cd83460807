run loam models --json
expect exit 0
expect json /models/length >= 2
run loam models list
expect out contains smollm2-135m-instruct-q4_1
expect out contains embedding
expect out columns 80
run loam models list --all
expect out contains to download
