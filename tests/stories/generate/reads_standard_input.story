run-input loam generate --raw -n 4
    Once upon a time
expect exit 0
shell loam generate -n 4 < /dev/null
expect exit 2
expect err contains PROMPT
