package stripe

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
)

// upload is the file part of a multipart request.
type upload struct {
	name, contentType string
	data              []byte
}

const maxParts = 64

func parseMultipart(contentType string, body []byte) (*upload, *form, *apiError) {
	_, attrs, err := mime.ParseMediaType(contentType)
	if err != nil || attrs["boundary"] == "" {
		return nil, nil, invalid("", "", "Invalid multipart request: the boundary is missing.")
	}
	r := multipart.NewReader(bytes.NewReader(body), attrs["boundary"])
	f := &form{}
	var up *upload
	for range maxParts {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return up, f, nil
		}
		if err != nil {
			return nil, nil, invalid("", "", "Invalid multipart request: it is malformed or broke off.")
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, invalid("", "", "Invalid multipart request: a part broke off.")
		}
		if part.FormName() == "file" {
			up = &upload{name: part.FileName(), contentType: part.Header.Get("Content-Type"), data: data}
			continue
		}
		if apiErr := f.put(part.FormName(), string(data)); apiErr != nil {
			return nil, nil, apiErr
		}
	}
	return nil, nil, invalid("", "", "Invalid multipart request: too many parts.")
}
