run loam tokens decode twelve
expect exit 2
expect err contains "twelve"
run loam tokens decode 99999999
expect exit 2
expect err lines 1
run loam tokens
expect exit 2
expect err contains encode, decode
