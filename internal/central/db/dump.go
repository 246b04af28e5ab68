package db

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// row is a row of a table as a dump has it: on both engines the same.
type row struct {
	Table  string            `json:"table"`
	Words  map[string]string `json:"words,omitempty"`
	Counts map[string]int64  `json:"counts,omitempty"`
	Bytes  map[string][]byte `json:"bytes,omitempty"`
}

// Dump calls put with each row of the tables, as they are at one moment. The columns are texts, whole numbers or bytes.
func (d *DB) Dump(ctx context.Context, tables []string, put func([]byte) error) error {
	return d.Read(ctx, func(tx *Tx) error {
		for _, t := range tables {
			if err := dump(ctx, tx, t, put); err != nil {
				return fmt.Errorf("dump the table %s: %w", t, err)
			}
		}
		return nil
	})
}

func dump(ctx context.Context, tx *Tx, table string, put func([]byte) error) error {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is that of Err
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		r := row{table, make(map[string]string), make(map[string]int64), make(map[string][]byte)}
		for i, v := range values {
			switch v := v.(type) {
			case nil:
			case string:
				r.Words[columns[i]] = v
			case int64:
				r.Counts[columns[i]] = v
			case []byte:
				r.Bytes[columns[i]] = v
			default:
				return fmt.Errorf("the column %s holds a %T", columns[i], v)
			}
		}
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := put(b); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Fill writes a row that Dump put, into one of the tables.
func (d *DB) Fill(ctx context.Context, tables []string, b []byte) error {
	var r row
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("fill a table: %w", err)
	}
	if !slices.Contains(tables, r.Table) {
		return fmt.Errorf("fill the table %q: there is none of that name here", r.Table)
	}
	name := regexp.MustCompile(`^[a-z_]+$`)
	var columns, marks []string
	var values []any
	add := func(column string, v any) error {
		if !name.MatchString(column) {
			return fmt.Errorf("fill the table %s: no column is called %q", r.Table, column)
		}
		columns, values = append(columns, column), append(values, v)
		marks = append(marks, fmt.Sprintf("$%d", len(values)))
		return nil
	}
	for c, v := range r.Words {
		if err := add(c, v); err != nil {
			return err
		}
	}
	for c, v := range r.Counts {
		if err := add(c, v); err != nil {
			return err
		}
	}
	for c, v := range r.Bytes {
		if err := add(c, v); err != nil {
			return err
		}
	}
	text := "INSERT INTO " + r.Table + " (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
	return d.Write(ctx, func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, text, values...)
		return err
	})
}
