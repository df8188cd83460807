shell unset NO_COLOR; loam --help | od -c
expect out lacks 033
shell loam --help | od -c
expect out lacks 033
shell loam help --color always ask | od -c
expect exit 0
