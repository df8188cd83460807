# proves P-CLI-08
interrupt-after 3 loam generate --raw -n 3500 --temperature 1 "Once upon a time"
expect exit 0
