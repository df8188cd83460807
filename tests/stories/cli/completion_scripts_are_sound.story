shell loam completion bash > loam.bash && bash -n loam.bash && bash -c 'source ./loam.bash; COMP_WORDS=(loam ask --pas); COMP_CWORD=2; _loam; echo ${COMPREPLY[@]}'
expect exit 0
expect out is --passages
shell loam completion bash > loam.bash; bash -c 'source ./loam.bash; COMP_WORDS=(loam mod); COMP_CWORD=1; _loam; echo ${COMPREPLY[@]}'
expect out is models
file notes.md: words
shell loam completion bash > loam.bash; bash -c 'source ./loam.bash; COMP_WORDS=(loam ingest no); COMP_CWORD=2; _loam; echo ${COMPREPLY[@]}'
expect out is notes.md
shell loam completion bash > loam.bash; bash -c 'source ./loam.bash; COMP_WORDS=(loam completion z); COMP_CWORD=2; _loam; echo ${COMPREPLY[@]}'
expect out is zsh
run loam completion zsh
expect out contains #compdef loam
run loam completion fish
expect out contains complete -c loam
run loam completion tcsh
expect exit 2
