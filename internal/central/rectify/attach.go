package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// Bounds of attachments: bytes of one as it is sent, and how many a part has.
const (
	MostBytes = 10 << 20
	mostFiles = 20
)

// ErrNoFile says that nothing of that number is attached.
var ErrNoFile = errors.New("没有这个附件 · there is no such attachment")

// Attached is what the act says of an attachment. Its name is not kept: people write names of others into it.
type Attached struct {
	At      int64  `json:"at"`
	Account string `json:"account"`
	Kind    Kind   `json:"kind"`
	Size    int    `json:"size"`   // bytes as it is kept
	SHA256  string `json:"sha256"` // of these, in hexadecimal digits
}

// File is an attachment of a part.
type File struct {
	ID          int64 // row of the journal by which it came
	Order, Part int64
	Attached
}

// Attach keeps a file with a part. Its type is what its bytes say; a picture is drawn anew, without what a camera has written into it. The
// bytes are the words of an act: sealed, in each backup, and erasable. What is no such file is a Refusal.
func (o *Orders) Attach(ctx context.Context, by By, k Kept, b []byte) (File, error) {
	if len(b) > MostBytes {
		return File{}, refuse("附件超过 10 MB。", "It is larger than 10 MB.")
	}
	select {
	case o.drawing <- struct{}{}: // a picture of 24 megapixels is large while it is drawn
	case <-ctx.Done():
		return File{}, ctx.Err()
	}
	kind, b, err := sanitize(b)
	<-o.drawing
	if err != nil {
		return File{}, err
	}
	f := File{Order: k.Order, Part: k.Part, Attached: Attached{At: o.now(), Account: by.Account, Kind: kind, Size: len(b), SHA256: digest(b)}}
	data, err := json.Marshal(f.Attached)
	if err != nil {
		return File{}, err
	}
	r, err := o.say(ctx, by.Account, "", journal.Act{Do: attaches, Object: objectOf(k.Order, k.Part), By: by.Session, Data: data,
		Domain: k.Body.Area,
		Few:    k.Body.Secret}, string(b))
	f.ID = r.Pos
	return f, err
}

// enterFile writes what an act says of an attachment.
func (o *Orders) enterFile(ctx context.Context, tx *db.Tx, pos int64, a journal.Act) error {
	order, part, err := parseObject(a.Object)
	if err != nil {
		return err
	}
	there, err := db.Query(ctx, tx, func(s db.Scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT count(*) FROM rectify_file WHERE order_id = $1 AND part = $2", order, part)
	if err != nil {
		return err
	}
	if there[0] >= mostFiles {
		return refuse(fmt.Sprintf("每份工单最多 %d 个附件。", mostFiles), "There are as many attachments as are allowed.")
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO rectify_file (pos, order_id, part, about) VALUES ($1, $2, $3, $4)", pos, order, part,
		string(a.Data)); err != nil {
		return err
	}
	return note(ctx, tx, pos, order, part)
}

// File returns an attachment of a part with its bytes, ErrNoFile, or journal.ErrErased.
func (o *Orders) File(ctx context.Context, k Kept, id int64) (File, []byte, error) {
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (f File, err error) {
		var about string
		if err = s.Scan(&f.ID, &f.Order, &f.Part, &about); err == nil {
			err = json.Unmarshal([]byte(about), &f.Attached)
		}
		return f, err
	}, "SELECT pos, order_id, part, about FROM rectify_file WHERE pos = $1 AND order_id = $2 AND part = $3", id, k.Order, k.Part)
	if err == nil && len(all) == 0 {
		err = ErrNoFile
	}
	if err != nil {
		return File{}, nil, err
	}
	text, err := o.cfg.Journal.Text(ctx, id, 0)
	if err != nil {
		return all[0], nil, err
	}
	b := []byte(text)
	if digest(b) != all[0].SHA256 {
		return all[0], nil, fmt.Errorf("attachment %d is not what was attached; run centrald verify", id)
	}
	return all[0], b, nil
}

// Name returns how a browser saves it.
func (f File) Name() string {
	return fmt.Sprintf("%d-%d-%d.%s", f.Order, f.Part, f.ID, strings.TrimPrefix(f.Kind.Extension(), "."))
}
