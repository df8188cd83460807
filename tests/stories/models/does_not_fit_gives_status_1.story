run loam fit smollm2-135m-instruct-q4_1 --ctx 8192 --slots 1024 --json
expect exit 1
expect json /fits == false
expect json /largest_context > 0
