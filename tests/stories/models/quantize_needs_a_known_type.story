run loam models quantize smollm2-135m-instruct-q4_1
expect exit 2
expect err contains --type
run loam models quantize smollm2-135m-instruct-q4_1 --type q99
expect exit 2
expect err lines 1
