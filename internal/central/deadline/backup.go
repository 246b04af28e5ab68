package deadline

import "context"

// tables returns those of a backup. When a unit was rated last is worked out anew from the books.
func tables() []string {
	return []string{"message_stop", "silence_since", "message_request", "message_reply"}
}

// Export writes who has stopped into a backup. It implements journal.Room.
func (d *Deadlines) Export(ctx context.Context, put func([]byte) error) error {
	return d.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (d *Deadlines) Import(ctx context.Context, section []byte) error {
	return d.db.Fill(ctx, tables(), section)
}
