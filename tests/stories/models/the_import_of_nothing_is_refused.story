file folder/config.json: {"architectures": ["SomethingElse"]}
run loam models import folder
expect exit 2
expect err lines 1
run loam models import nosuch
expect exit 2
expect err contains nosuch
