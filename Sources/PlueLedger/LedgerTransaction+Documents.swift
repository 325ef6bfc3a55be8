import Crypto
import Foundation
import GRDB
import PlueConfig

extension LedgerTransaction {
    /// The id of the tree's documents, storing those that are not there yet.
    /// - Parameter parent: Where a changed document's older text is found, by name.
    func store(_ documents: [StoredDocument], parent: Tree) throws -> Tree {
        let older = Dictionary(parent.leaves.map { ($0.name, $0.document) }, uniquingKeysWith: { _, last in last })
        var tree = Tree()
        for document in documents {
            let name = try nameID(document.name)
            tree.leaves.append(Tree.Leaf(name: name, document: try store(document.bytes, near: older[name])))
        }
        return tree
    }

    /// The two sides of what a transaction writes, storing those that are not there yet; `nil` when it writes nothing.
    func store(_ changes: [DocumentChange], parent: Tree) throws -> (before: Tree, after: Tree)? {
        guard !changes.isEmpty else { return nil }
        let older = Dictionary(parent.leaves.map { ($0.name, $0.document) }, uniquingKeysWith: { _, last in last })
        var (before, after) = (Tree(), Tree())
        for change in changes {
            let name = try nameID(change.name)
            before.leaves.append(Tree.Leaf(name: name, document: try change.before.map { try store($0, near: older[name]) } ?? 0))
            after.leaves.append(Tree.Leaf(name: name, document: try change.after.map { try store($0, near: older[name]) } ?? 0))
        }
        return (before, after)
    }

    /// What ``store(_:parent:)`` was given.
    func changes(from before: Tree?, to after: Tree?) throws -> [DocumentChange] {
        guard let before, let after, before.leaves.count == after.leaves.count else { throw corrupt("what was written is unreadable") }
        return try zip(before.leaves, after.leaves).map { before, after in
            DocumentChange(
                name: try documentName(before.name), before: before.document == 0 ? nil : try bytes(of: before.document),
                after: after.document == 0 ? nil : try bytes(of: after.document))
        }
    }

    /// The documents a tree names, as they were written.
    func documents(in tree: Tree) throws -> [StoredDocument] {
        try tree.leaves.map { leaf in
            StoredDocument(name: try documentName(leaf.name), bytes: try bytes(of: leaf.document))
        }
    }

    /// - Throws: `corrupt` when they are not what their digest says.
    func bytes(of id: Int64) throws -> [UInt8] {
        let statement = try db.cachedStatement(sql: "SELECT sha256, base, head, tail, bytes FROM document WHERE id = ?")
        var digest: Data?
        var deltas: [DocumentDelta] = []
        var next = id
        while true {
            guard let row = try Row.fetchOne(statement, arguments: [next]) else { throw corrupt("a document is gone") }
            if digest == nil { digest = try row.value("sha256") }
            let stored: Data = try row.value("bytes")
            guard let base: Int64 = try row.value("base") else {
                let bytes = try deltas.reversed().reduce(Array(stored)) { base, delta in
                    guard let bytes = delta.applied(to: base) else { throw corrupt("a document does not fit its base") }
                    return bytes
                }
                guard Data(SHA256.hash(data: bytes)) == digest else { throw corrupt("a document is not what its digest says") }
                return bytes
            }
            // Ids fall along a chain, so this ends even in a database somebody edited.
            guard base < next, let head: Int = try row.value("head"), let tail: Int = try row.value("tail")
            else { throw corrupt("a document has no place on its base") }
            deltas.append(DocumentDelta(head: head, tail: tail, middle: Array(stored)))
            next = base
        }
    }

    private func store(_ bytes: [UInt8], near older: Int64?) throws -> Int64 {
        let digest = Data(SHA256.hash(data: bytes))
        if let id = try value(Int64.self, "SELECT id FROM document WHERE sha256 = ?", [digest]) {
            known.digests[id] = digest
            return id
        }
        let insert = try db.cachedStatement(
            sql: "INSERT INTO document (sha256, base, depth, head, tail, bytes) VALUES (?, ?, ?, ?, ?, ?)")
        if let older, let depth = try value(Int.self, "SELECT depth FROM document WHERE id = ?", [older]),
            depth < DocumentDelta.longestChain, let delta = DocumentDelta(from: try self.bytes(of: older), to: bytes)
        {
            try insert.execute(arguments: [digest, older, depth + 1, delta.head, delta.tail, Data(delta.middle)])
        } else {
            try insert.execute(arguments: [digest, nil, 0, nil, nil, Data(bytes)])
        }
        known.digests[db.lastInsertedRowID] = digest
        return db.lastInsertedRowID
    }

    private func nameID(_ text: String) throws -> Int64 {
        let id: Int64
        if let stored = try value(Int64.self, "SELECT id FROM name WHERE text = ?", [text]) {
            id = stored
        } else {
            try run("INSERT INTO name (text) VALUES (?)", [text])
            id = db.lastInsertedRowID
        }
        known.names[id] = text
        return id
    }

    func documentName(_ id: Int64) throws -> String {
        if let text = known.names[id] { return text }
        guard let text = try value(String.self, "SELECT text FROM name WHERE id = ?", [id]) else {
            throw corrupt("a document's name is gone")
        }
        known.names[id] = text
        return text
    }

    func digest(of document: Int64) throws -> Data {
        if let digest = known.digests[document] { return digest }
        guard let digest = try value(Data.self, "SELECT sha256 FROM document WHERE id = ?", [document]) else {
            throw corrupt("a document is gone")
        }
        known.digests[document] = digest
        return digest
    }
}
