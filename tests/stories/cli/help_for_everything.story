run loam
expect exit 0
expect out contains loam ask
expect out columns 80
run loam --help
expect out contains Exit status
run loam ask --help
expect out contains --show-prompt
expect out contains Exit status: 0 done, 1 Loam abstained
expect out columns 80
run loam help models pull
expect out contains hf:ORG/REPO
run loam models --help
expect out contains models quantize MODEL
run loam help nosuch
expect exit 2
run loam help --json
expect json /verbs/0/verb is text
