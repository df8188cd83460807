# proves P-TASK-01
fill long.md 12: The harbour of Newtown was built of grey stone in the year 1850. Ships from the north bring timber, wool and salt to the harbour every week. The harbour master keeps a book in which each ship is written down with its cargo.\n\n
run loam summarise long.md --ctx 512 --chunk-tokens 300 --sentences 2 --json
expect exit 0
expect json /coverage/passages >= 2
expect json /coverage/calls >= 2
expect json /coverage/levels >= 1
expect json /sentences/length <= 2
