// An S3 server that keeps objects in memory, fast enough not to be what a benchmark measures.
//
// It knows what CPV and its peers ask for: buckets, PUT, GET with ranges, HEAD, LIST, DELETE, multipart
// uploads, copies of objects and of ranges. ETags are md5s, as S3's are. It checks no signature: loopback only.
package main

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

type object struct {
	pieces [][]byte
	size   int64
	etag   string
	since  time.Time
}

type upload struct {
	lock  sync.Mutex
	parts map[int]part
}

type part struct {
	data []byte
	sum  [md5.Size]byte
}

type server struct {
	lock    sync.RWMutex
	buckets map[string]map[string]*object
	uploads map[string]*upload
	count   int
}

func main() {
	address := flag.String("addr", "127.0.0.1:5010", "where to listen")
	flag.Parse()
	s := &server{buckets: map[string]map[string]*object{}, uploads: map[string]*upload{}}
	log.Fatal(http.ListenAndServe(*address, s))
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	s.lock.RLock()
	objects, found := s.buckets[bucket]
	s.lock.RUnlock()
	switch {
	case key == "" && r.Method == "PUT":
		s.lock.Lock()
		if !found {
			s.buckets[bucket] = map[string]*object{}
		}
		s.lock.Unlock()
	case !found:
		io.Copy(io.Discard, r.Body)
		refuse(w, 404, "NoSuchBucket")
	case key == "" && r.Method == "POST" && query.Has("delete"):
		s.deleteMany(w, r, objects)
	case key == "" && r.Method == "GET" && query.Has("location"):
		answer(w, "<LocationConstraint/>")
	case key == "" && r.Method == "GET" && query.Has("uploads"):
		answer(w, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>")
	case key == "" && r.Method == "GET":
		s.list(w, objects, query)
	case key == "":
	case r.Method == "POST" && query.Has("uploads"):
		s.begin(w, bucket, key)
	case r.Method == "POST":
		s.complete(w, r, objects, key, query.Get("uploadId"))
	case r.Method == "PUT":
		s.put(w, r, objects, key, query)
	case r.Method == "DELETE":
		s.lock.Lock()
		if query.Has("uploadId") {
			delete(s.uploads, query.Get("uploadId"))
		} else {
			delete(objects, key)
		}
		s.lock.Unlock()
		w.WriteHeader(204)
	case query.Has("uploadId"):
		s.listParts(w, query.Get("uploadId"))
	default:
		s.get(w, r, objects, key)
	}
}

func (s *server) put(w http.ResponseWriter, r *http.Request, objects map[string]*object, key string, query url.Values) {
	source := r.Header.Get("X-Amz-Copy-Source")
	data, err := body(r)
	if err != nil {
		refuse(w, 400, "IncompleteBody")
		return
	}
	if source != "" {
		if data = s.ranged(source, r.Header.Get("X-Amz-Copy-Source-Range")); data == nil {
			refuse(w, 404, "NoSuchKey")
			return
		}
	}
	sum := md5.Sum(data)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	result := "CopyObjectResult"
	if query.Has("uploadId") {
		result = "CopyPartResult"
		number, _ := strconv.Atoi(query.Get("partNumber"))
		s.lock.RLock()
		up := s.uploads[query.Get("uploadId")]
		s.lock.RUnlock()
		if up == nil {
			refuse(w, 404, "NoSuchUpload")
			return
		}
		up.lock.Lock()
		up.parts[number] = part{data, sum}
		up.lock.Unlock()
	} else {
		s.lock.Lock()
		objects[key] = &object{[][]byte{data}, int64(len(data)), etag, time.Now()}
		s.lock.Unlock()
	}
	w.Header().Set("ETag", etag)
	if source != "" {
		now := time.Now().UTC().Format(time.RFC3339)
		answer(w, "<%s><LastModified>%s</LastModified><ETag>%s</ETag></%s>", result, now, etag, result)
	}
}

// ranged is what a copy copies: the object, or the range of it, nil where there is no such object.
func (s *server) ranged(source, span string) []byte {
	if plain, err := url.PathUnescape(source); err == nil {
		source = plain
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(source, "/"), "/")
	s.lock.RLock()
	from := s.buckets[bucket][key]
	s.lock.RUnlock()
	if from == nil {
		return nil
	}
	first, last := int64(0), from.size-1
	if span != "" {
		first, last, _ = bounds(span, from.size)
	}
	data := make([]byte, 0, last-first+1)
	from.each(first, last, func(piece []byte) { data = append(data, piece...) })
	return data
}

func (s *server) begin(w http.ResponseWriter, bucket, key string) {
	s.lock.Lock()
	s.count++
	id := fmt.Sprintf("upload-%d", s.count)
	s.uploads[id] = &upload{parts: map[int]part{}}
	s.lock.Unlock()
	answer(w, "<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>",
		escaped(bucket), escaped(key), id)
}

func (s *server) listParts(w http.ResponseWriter, id string) {
	s.lock.RLock()
	up := s.uploads[id]
	s.lock.RUnlock()
	if up == nil {
		refuse(w, 404, "NoSuchUpload")
		return
	}
	up.lock.Lock()
	defer up.lock.Unlock()
	numbers := make([]int, 0, len(up.parts))
	for number := range up.parts {
		numbers = append(numbers, number)
	}
	sort.Ints(numbers)
	rows := ""
	for _, number := range numbers {
		p := up.parts[number]
		rows += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>&quot;%x&quot;</ETag><Size>%d</Size></Part>", number, p.sum, len(p.data))
	}
	answer(w, "<ListPartsResult><IsTruncated>false</IsTruncated>%s</ListPartsResult>", rows)
}

func (s *server) complete(w http.ResponseWriter, r *http.Request, objects map[string]*object, key, id string) {
	var wanted struct {
		Part []struct{ PartNumber int }
	}
	data, _ := body(r)
	xml.Unmarshal(data, &wanted)
	s.lock.Lock()
	defer s.lock.Unlock()
	up := s.uploads[id]
	if up == nil {
		refuse(w, 404, "NoSuchUpload")
		return
	}
	made := &object{since: time.Now()}
	sums := md5.New()
	for _, each := range wanted.Part {
		p := up.parts[each.PartNumber]
		made.pieces = append(made.pieces, p.data)
		made.size += int64(len(p.data))
		sums.Write(p.sum[:])
	}
	made.etag = fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(wanted.Part))
	objects[key] = made
	delete(s.uploads, id)
	answer(w, "<CompleteMultipartUploadResult><Key>%s</Key><ETag>%s</ETag></CompleteMultipartUploadResult>", escaped(key), made.etag)
}

func (s *server) get(w http.ResponseWriter, r *http.Request, objects map[string]*object, key string) {
	s.lock.RLock()
	found := objects[key]
	s.lock.RUnlock()
	if found == nil {
		refuse(w, 404, "NoSuchKey")
		return
	}
	head := w.Header()
	head.Set("ETag", found.etag)
	head.Set("Last-Modified", found.since.UTC().Format(http.TimeFormat))
	head.Set("Accept-Ranges", "bytes")
	head.Set("Content-Type", "binary/octet-stream")
	first, last, code := int64(0), found.size-1, 200
	if span := r.Header.Get("Range"); span != "" {
		var ok bool
		if first, last, ok = bounds(span, found.size); !ok {
			refuse(w, 416, "InvalidRange")
			return
		}
		code = 206
		head.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, found.size))
	}
	head.Set("Content-Length", strconv.FormatInt(last-first+1, 10))
	w.WriteHeader(code)
	if r.Method == "GET" {
		found.each(first, last, func(piece []byte) { w.Write(piece) })
	}
}

func (s *server) deleteMany(w http.ResponseWriter, r *http.Request, objects map[string]*object) {
	var wanted struct {
		Object []struct{ Key string }
	}
	data, _ := body(r)
	xml.Unmarshal(data, &wanted)
	s.lock.Lock()
	for _, each := range wanted.Object {
		delete(objects, each.Key)
	}
	s.lock.Unlock()
	answer(w, "<DeleteResult/>")
}

func (s *server) list(w http.ResponseWriter, objects map[string]*object, query url.Values) {
	limit, err := strconv.Atoi(query.Get("max-keys"))
	if err != nil || limit > 1000 {
		limit = 1000
	}
	prefix, delimiter, after := query.Get("prefix"), query.Get("delimiter"), query.Get("start-after")
	// The second is the first version's, which rclone asks in.
	for _, name := range []string{"continuation-token", "marker"} {
		if query.Get(name) != "" {
			after = query.Get(name)
		}
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	keys := []string{}
	for key := range objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	var rows strings.Builder
	folders, count, last, more := map[string]bool{}, 0, "", false
	for _, key := range keys {
		if len(folders)+count >= limit {
			more = true
			break
		}
		last = key
		if at := strings.Index(key[len(prefix):], delimiter); delimiter != "" && at >= 0 {
			folders[key[:len(prefix)+at+len(delimiter)]] = true
			continue
		}
		o := objects[key]
		count++
		fmt.Fprintf(&rows, "<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>%s</ETag><Size>%d</Size></Contents>",
			escaped(key), o.since.UTC().Format("2006-01-02T15:04:05.000Z"), o.etag, o.size)
	}
	for folder := range folders {
		fmt.Fprintf(&rows, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", escaped(folder))
	}
	if more {
		fmt.Fprintf(&rows, "<NextContinuationToken>%s</NextContinuationToken><NextMarker>%s</NextMarker>", escaped(last), escaped(last))
	}
	answer(w, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>%s</Prefix><MaxKeys>%d</MaxKeys><IsTruncated>%v</IsTruncated>%s</ListBucketResult>`,
		escaped(prefix), limit, more, rows.String())
}

// each calls take with the pieces of the bytes from first to last, both within the object.
func (o *object) each(first, last int64, take func([]byte)) {
	at := int64(0)
	for _, piece := range o.pieces {
		begin, end := max(first-at, 0), min(last+1-at, int64(len(piece)))
		if begin < end {
			take(piece[begin:end])
		}
		at += int64(len(piece))
	}
}

// bounds reads "bytes=1-2", "bytes=1-" and "bytes=-2".
func bounds(span string, size int64) (int64, int64, bool) {
	from, to, _ := strings.Cut(strings.TrimPrefix(span, "bytes="), "-")
	first, err := strconv.ParseInt(from, 10, 64)
	last, none := strconv.ParseInt(to, 10, 64)
	if err != nil {
		return max(size-last, 0), size - 1, none == nil && size > 0
	}
	if none != nil || last >= size {
		last = size - 1
	}
	return first, last, first < size
}

// body is what was sent, taken out of the chunks that newer clients sign one by one.
func body(r *http.Request) ([]byte, error) {
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") &&
		!strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		if r.ContentLength < 0 {
			return io.ReadAll(r.Body)
		}
		data := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, data)
		return data, err
	}
	size, _ := strconv.Atoi(r.Header.Get("X-Amz-Decoded-Content-Length"))
	data := make([]byte, 0, size)
	reader := bufio.NewReaderSize(r.Body, 1<<16)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return nil, err
		}
		length, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		if length == "" {
			continue
		}
		count, err := strconv.ParseInt(length, 16, 64)
		if err != nil {
			return nil, err
		}
		if count == 0 {
			io.Copy(io.Discard, reader)
			return data, nil
		}
		at := len(data)
		data = append(data, make([]byte, count)...)
		if _, err := io.ReadFull(reader, data[at:]); err != nil {
			return nil, err
		}
	}
}

func answer(w http.ResponseWriter, format string, words ...any) {
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+format, words...)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

func escaped(text string) string {
	var out strings.Builder
	xml.EscapeText(&out, []byte(text))
	return out.String()
}
