// Command centrebench measures the centre against yardsticks of the same run and prints lines "name value". docs/numbers.md says what
// each means. It needs Debian's package postgresql for the lines that end in _pg.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var b bench
	flag.IntVar(&b.records, "records", 200_000, "records of the backlog")
	flag.IntVar(&b.messages, "messages", 20_000, "live messages of three records")
	flag.IntVar(&b.visits, "visits", 100_000, "visits of the projection")
	flag.IntVar(&b.history, "history", 0, "instead, fill the books with so many `visits` and measure what then takes how long")
	only := flag.String("only", "", "run the `part` with this name alone")
	flag.StringVar(&b.dir, "dir", os.TempDir(), "the `folder` whose disk is measured")
	flag.Parse()
	if err := b.run(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, "centrebench:", err)
		os.Exit(1)
	}
}
