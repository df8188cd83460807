# proves P-CLI-08
# Many files, so that even a fast machine has not ended when the first is done.
fill docs/a.md 500: Storehouse a holds many different things, and each of them has its own number and its own shelf.
fill docs/b.md 500: Storehouse b holds many different things, and each of them has its own number and its own shelf.
fill docs/c.md 500: Storehouse c holds many different things, and each of them has its own number and its own shelf.
fill docs/d.md 500: Storehouse d holds many different things, and each of them has its own number and its own shelf.
fill docs/e.md 500: Storehouse e holds many different things, and each of them has its own number and its own shelf.
fill docs/f.md 500: Storehouse f holds many different things, and each of them has its own number and its own shelf.
fill docs/g.md 500: Storehouse g holds many different things, and each of them has its own number and its own shelf.
fill docs/h.md 500: Storehouse h holds many different things, and each of them has its own number and its own shelf.
fill docs/i.md 500: Storehouse i holds many different things, and each of them has its own number and its own shelf.
fill docs/j.md 500: Storehouse j holds many different things, and each of them has its own number and its own shelf.
fill docs/k.md 500: Storehouse k holds many different things, and each of them has its own number and its own shelf.
fill docs/l.md 500: Storehouse l holds many different things, and each of them has its own number and its own shelf.
fill docs/m.md 500: Storehouse m holds many different things, and each of them has its own number and its own shelf.
fill docs/n.md 500: Storehouse n holds many different things, and each of them has its own number and its own shelf.
fill docs/o.md 500: Storehouse o holds many different things, and each of them has its own number and its own shelf.
fill docs/p.md 500: Storehouse p holds many different things, and each of them has its own number and its own shelf.
interrupt-on-output loam ingest --json docs
expect exit 1
expect err contains kept
run loam check
expect exit 0
