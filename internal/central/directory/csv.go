package directory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

const bom = "\ufeff"

// decode returns a file's text: UTF-8 with or without a mark, else GB18030, as spreadsheets in China write it.
func decode(b []byte) (string, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return "", faultf("文件是 UTF-16 编码，请另存为“CSV UTF-8”", `the file is UTF-16; save it as "CSV UTF-8"`)
	}
	if utf8.Valid(b) {
		return strings.TrimPrefix(string(b), bom), nil
	}
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return "", faultf("文件既不是 UTF-8 也不是 GB18030 编码", "the file is neither UTF-8 nor GB18030")
	}
	return strings.TrimPrefix(string(out), bom), nil
}

// readCSV reads the rows of a CSV file.
func readCSV(b []byte) ([]Row, error) {
	text, err := decode(b)
	if err != nil {
		return nil, err
	}
	if strings.ContainsRune(text, 0) {
		return nil, faultf("这不是文本文件", "this is no text file")
	}
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord = -1
	var rows []Row
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		row := Row{Cells: cells}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			f := faultf("引号有误：%v", "the quotes are wrong: %v", wrong.Err)
			row.Number, row.Fault = wrong.StartLine, &f
		} else if err != nil {
			return nil, err
		} else {
			row.Number, _ = in.FieldPos(0)
		}
		if rows = append(rows, row); len(rows) > 2*maxLines {
			return nil, faultf("文件超过 %d 行，请分成几个文件", "the file has more than %d lines; split it", maxLines)
		}
	}
}

// fileRow returns a record's cells in the order of heads.
func (r Record) fileRow() []string {
	out := []string{"", r.Kind.Chinese(), r.ID, r.From.String(), r.To.String()}
	for _, f := range fields() {
		out = append(out, *f.at(&r))
	}
	return out
}

// WriteCSV writes records so that spreadsheets show them and Read reads them: UTF-8 with a mark, with no cell that is taken for a formula.
func WriteCSV(w io.Writer, each func(func(Record) error) error) error {
	if _, err := io.WriteString(w, bom); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	var head []string
	for _, h := range heads() {
		head = append(head, h[1])
	}
	if err := out.Write(head); err != nil {
		return err
	}
	err := each(func(r Record) error {
		row := r.fileRow()
		for i := range row {
			row[i] = neutral(row[i])
		}
		return out.Write(row)
	})
	out.Flush()
	return errors.Join(err, out.Error())
}
