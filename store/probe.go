package store

// Probe waits for its turn to write, writes nothing, and returns why the file cannot be used, nil if it can. It is for a
// watchdog: it returns soon while the disk is full, read-only or failing, since each write then ends with an error, and does
// not return while a write or its fsync hangs.
func (s *Store) Probe() error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.Trouble()
}
