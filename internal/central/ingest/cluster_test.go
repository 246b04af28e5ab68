package ingest

import (
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/nats"
)

// Three nodes of nats-server divide the boxes' records by subject, and two instances share the subjects by leases. One instance ends
// without a word, then the node of the other is killed: what boxes send comes through all the same, each record once.
func TestPartitionsOfACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster of brokers")
	}
	cluster, err := nats.Start(t.TempDir(), nats.Options{Nodes: 3, Partitions: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c := newCentre(t)
	run := func(name string, node int) (*station, func()) {
		s := c.open()
		_, stop := c.runWith(Config{Broker: "mqtt://" + cluster.Address(node), ClientID: name, Journal: s.Journal, Fleet: s.Fleet, Key: key(9),
			Now: time.Now, Logger: quiet,
			Partitions: 4, Leases: journal.Leases{Journal: s.Journal, Holder: name}})
		return s, stop
	}
	one, _ := run("one", 1)
	two, stop := run("two", 2)
	enrol(t, one.Fleet)
	until(t, "the partitions are shared", func() bool {
		held, err := journal.Leases{Journal: one.Journal}.Current(t.Context(), partitionLease)
		return err == nil && len(held) == 4
	})
	b := newBoxAt(t, cluster.Address(0))
	for range 20 {
		b.send(2, key(1))
	}
	b.wantThrough(40)
	// Without its database an instance cannot give its leases back, as if it had been killed.
	two.close()
	stop()
	for range 10 {
		b.send(2, key(1))
	}
	b.wantThrough(60)
	cluster.Kill(1)
	b.send(1, key(1))
	if err := cluster.StartNode(1); err != nil {
		t.Fatal(err)
	}
	b.wantThrough(61)
	one.wantRecords(t, 61)
}
