package account

import "context"

// Room implements journal.Room.
func (a *Accounts) Room() string { return "account" }

// tables are those of a backup. Sessions, links, tokens and failures are not in it: who is restored signs in again, and makes new tokens.
func tables() []string { return []string{"account", "account_grant", "account_recovery"} }

// Export writes the accounts into a backup of the journal. It implements journal.Room.
func (a *Accounts) Export(ctx context.Context, put func([]byte) error) error {
	return a.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (a *Accounts) Import(ctx context.Context, section []byte) error {
	return a.db.Fill(ctx, tables(), section)
}
