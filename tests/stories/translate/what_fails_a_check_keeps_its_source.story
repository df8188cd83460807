# proves P-TASK-05: whatever a model writes, these come through.
file guide.md: # Guide\n\nHello {name}, you have 12 new messages in `inbox`.\n\n```sh\npump --start\n```\n
run loam translate --to fr --from en guide.md --json
expect exit 0
expect json /text contains "{name}"
expect json /text contains "12"
expect json /text contains "`inbox`"
expect json /text contains "```sh\npump --start\n```"
expect json /counts/segments == 2
