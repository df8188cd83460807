# proves P-CLI-08
interrupt-on-output loam generate --raw -n 3500 --temperature 1 "Once upon a time"
expect exit 0
