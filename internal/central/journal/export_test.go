package journal

// Remembered returns how many logs' states the writer remembers. Nothing may be appended meanwhile.
func (j *Journal) Remembered() int { return len(j.logs.rows) }
