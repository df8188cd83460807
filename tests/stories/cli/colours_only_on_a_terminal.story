shell unset NO_COLOR; loam --help | od -An -c
expect out lacks 033
shell loam --help | od -An -c
expect out lacks 033
shell loam help --color always ask | od -An -c
expect exit 0
