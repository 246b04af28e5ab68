package store

import "fmt"

// Kept returns records from the given seq on that are still in the file, acknowledged or not, oldest first; at most maxRecords, and at most
// maxBytes in all, but one if there is any. Those that are damaged are passed over; the seqs of what it returns follow each other.
func (s *Store) Kept(from uint64, maxRecords, maxBytes int) (first uint64, records [][]byte, err error) {
	k := s.now()
	err = s.view(func(l layout) error {
		mark, err := l.trimmed(s.opt.Device, k.epoch)
		if err != nil {
			return err
		}
		first = max(from, mark.Seq+1)
		size := 0
		for seq := first; seq <= k.last && len(records) < maxRecords; seq++ {
			raw, err := l.record(seq)
			switch size += len(raw); {
			case err != nil && len(records) == 0:
				first = seq + 1
				continue
			case err != nil, size > maxBytes && len(records) > 0:
				return nil
			}
			records = append(records, append([]byte(nil), raw...))
		}
		return nil
	})
	if err != nil {
		s.fail(err, k.epoch)
		return 0, nil, fmt.Errorf("read kept records: %w", err)
	}
	return first, records, nil
}
