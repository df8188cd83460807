run loam models show smollm2-135m-instruct-q4
expect exit 2
expect err contains smollm2-135m-instruct
expect err lines 1
run loam models rm nosuch-model-at-all
expect exit 2
expect err lines 1
