run loam version
expect exit 0
expect out matches ^loam [0-9]+\.[0-9]+\.[0-9]+
run loam --version
expect out matches ^loam
run loam version --json
expect json /version is text
