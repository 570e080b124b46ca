package stripe

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tender-go/payment/sandbox/internal/core"
)

type file struct {
	id, purpose, name, kind string
	created, expires        int64
	data                    []byte
}

func (f *file) objectID() string     { return f.id }
func (f *file) objectCreated() int64 { return f.created }
func (f *file) renderPlain(s *Stripe, a *account, w *core.JSON) {
	s.renderFile(a, w, f, nil)
}

// purposes that can be uploaded, with their size limits in bytes where smaller
// than the general one: https://docs.stripe.com/file-upload
var purposes = []string{"account_requirement", "additional_verification", "business_icon", "business_logo", "customer_signature", "dispute_evidence",
	"identity_document", "pci_document", "tax_document_user_upload", "terminal_reader_splashscreen"}

const (
	maxFile         = 16 << 20
	maxEvidenceFile = 5 << 20
)

func createFile(c *call) *apiError {
	p := c.p
	purpose := p.enum("purpose", purposes...)
	if purpose == "" {
		p.missing("purpose")
	}
	p.ignore("file_link_data")
	if c.upload == nil {
		p.fail(invalid("parameter_missing", "file", "Missing required param: file. Send it as multipart/form-data."))
	}
	if apiErr := p.done(); apiErr != nil {
		return apiErr
	}
	limit := maxFile
	if purpose == "dispute_evidence" {
		limit = maxEvidenceFile
	}
	kind := fileKind(c.upload)
	switch {
	case len(c.upload.data) == 0:
		return invalid("", "file", "The file is empty.")
	case len(c.upload.data) > limit:
		return invalid("", "file", "The file exceeds the limit of "+strconv.Itoa(limit>>20)+" MB for the purpose "+purpose+".")
	case purpose == "dispute_evidence" && !slices.Contains([]string{"pdf", "jpg", "png"}, kind):
		return invalid("", "file", "Files for the purpose dispute_evidence must be of type PDF, JPEG or PNG.")
	}
	f := &file{id: c.id("file_1", 23), purpose: purpose, name: c.upload.name, kind: kind, created: c.at, data: c.upload.data}
	c.a.files.add(f.id, f)
	c.emit(c.a, "file.created", f)
	c.renderFile(c.a, c.w, f, c.x)
	return nil
}

// fileKind goes by the contents, as a name proves nothing.
func fileKind(u *upload) string {
	switch mime := http.DetectContentType(u.data); {
	case mime == "application/pdf":
		return "pdf"
	case mime == "image/jpeg":
		return "jpg"
	case mime == "image/png":
		return "png"
	}
	if i := strings.LastIndexByte(u.name, '.'); i >= 0 {
		if ext := strings.ToLower(u.name[i+1:]); ext == "csv" || ext == "docx" || ext == "xls" || ext == "xlsx" || ext == "gif" {
			return ext
		}
	}
	return "txt"
}

func getFile(c *call) *apiError {
	f := c.a.files.find(c.ids[0])
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if f == nil {
		return missing("file upload", c.ids[0], "id")
	}
	c.renderFile(c.a, c.w, f, c.x)
	return nil
}

// getFileContents answers with the file itself.
func getFileContents(c *call) *apiError {
	f := c.a.files.find(c.ids[0])
	if apiErr := c.p.done(); apiErr != nil {
		return apiErr
	}
	if f == nil {
		return missing("file upload", c.ids[0], "id")
	}
	c.raw = f.data
	return nil
}

func listFiles(c *call) *apiError {
	purpose := c.p.text("purpose", 0)
	return list(c, &c.a.files, "/v1/files", func(f *file) bool { return purpose == "" || f.purpose == purpose }, c.renderFile)
}

func (s *Stripe) renderFile(_ *account, w *core.JSON, f *file, _ expand) {
	w.Open()
	w.S("id", f.id)
	w.S("object", "file")
	w.I("created", f.created)
	w.IN("expires_at", f.expires)
	w.SN("filename", f.name)
	w.Object("links")
	w.S("object", "list")
	w.List("data")
	w.CloseList()
	w.B("has_more", false)
	w.S("url", "/v1/file_links?file="+f.id)
	w.Close()
	w.S("purpose", f.purpose)
	w.I("size", int64(len(f.data)))
	w.N("title")
	w.S("type", f.kind)
	w.S("url", s.BaseURL+"/v1/files/"+f.id+"/contents")
	w.Close()
}
