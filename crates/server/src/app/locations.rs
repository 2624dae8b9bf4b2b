//! Storage locations: where backups may lie, and with which credentials.
//!
//! Secrets are sealed in the database and go out only to agents, to the storage, and into tests. A location that is changed or deleted is
//! forgotten by [`super::catalogs`] and read anew; what lies on the storage is never touched from here.

mod rows;
mod rules;
pub mod trials;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use oplogue_api::FieldError;
use oplogue_api::agent::Place;
use oplogue_api::locations::{Location, LocationFolder, LocationInput, LocationSecrets, LocationTest};
use oplogue_api::services::LocationReach;
use oplogue_api::users::Role;
use rusqlite::{Transaction, params};

use super::audit::Deed;
use super::catalogs::FolderView;
use super::stored::{json, word};
use super::{Actor, App, AppError};
use crate::ids;

use rows::LocationRow;

impl App {
    /// By name.
    ///
    /// # Errors
    /// Only of the database.
    pub fn locations(&self) -> Result<Vec<Location>, AppError> {
        let views = self.folder_views();
        self.db.read(|tx| rows::all(tx)?.into_iter().map(|row| self.shown_location(tx, row, &views)).collect())
    }

    /// # Errors
    /// When there is none.
    pub fn location(&self, id: &str) -> Result<Location, AppError> {
        let views = self.folder_views();
        self.db.read(|tx| self.shown_location(tx, rows::find(tx, id)?, &views))
    }

    /// # Errors
    /// Fields that are wrong, or a name that is taken.
    pub fn create_location(&self, actor: &Actor, input: LocationInput) -> Result<Location, AppError> {
        actor.must_be(Role::Administrator)?;
        let input = rules::checked(input, &LocationSecrets::default())?;
        rules::name(&input.name).map_err(AppError::invalid)?;
        let now = self.clock.now();
        let id = ids::new("loc", now);
        self.db.write(|tx| {
            name_is_free(tx, &input.name, &id)?;
            self.store(tx, &id, &input, now, true)?;
            let detail = oplogue_api::place::url(input.kind, &input.settings);
            self.audit(tx, actor, &Deed { action: "location.create", object: &input.name, detail: &detail, ok: true })
        })?;
        self.catalogs.look_again_soon();
        self.location(&id)
    }

    /// Replaces everything but the secrets that are not given.
    ///
    /// # Errors
    /// Fields that are wrong, a name that is taken, or no such location.
    pub fn change_location(&self, actor: &Actor, id: &str, input: LocationInput) -> Result<Location, AppError> {
        actor.must_be(Role::Administrator)?;
        let now = self.clock.now();
        self.db.write(|tx| {
            let before = rows::find(tx, id)?;
            let stored = if before.kind == input.kind { before.secrets(&self.vault)? } else { LocationSecrets::default() };
            let input = rules::checked(input, &stored)?;
            rules::name(&input.name).map_err(AppError::invalid)?;
            name_is_free(tx, &input.name, id)?;
            let elsewhere = before.kind != input.kind || !same_place(&before, &input);
            if elsewhere && let Some(users) = users_of(tx, id)?.jobs {
                return Err(AppError::conflict(format!("{} is being used by a job that is not over: {users}", before.name))
                    .hint("wait for it, or cancel it, before pointing the location elsewhere"));
            }
            self.store(tx, id, &input, now, false)?;
            if elsewhere {
                tx.prepare_cached("DELETE FROM location_tests WHERE location_id = ?1")?.execute([id])?;
            }
            let detail = oplogue_api::place::url(input.kind, &input.settings);
            self.audit(tx, actor, &Deed { action: "location.change", object: &input.name, detail: &detail, ok: true })
        })?;
        self.catalogs.forget_location(id);
        self.wake_agents();
        self.location(id)
    }

    /// Forgets a location. What lies on the storage stays. With `force` also while schedules, backups or restores speak of it; its
    /// schedules are then deleted.
    ///
    /// # Errors
    /// When something uses it, or there is no such location.
    pub fn delete_location(&self, actor: &Actor, id: &str, force: bool) -> Result<(), AppError> {
        actor.must_be(Role::Administrator)?;
        let holds_backups = self.folder_views().iter().any(|view| view.location_id == id && !view.catalog.backups.is_empty());
        self.db.write(|tx| {
            let location = rows::find(tx, id)?;
            let users = users_of(tx, id)?;
            if let Some(job) = &users.jobs {
                return Err(AppError::conflict(format!("{} is being used by a job that is not over: {job}", location.name))
                    .hint("wait for it, or cancel it"));
            }
            if !force {
                let hint = "backups on the storage stay in any case; delete with force to forget the location nevertheless";
                let reason = match () {
                    () if holds_backups => Some("artifacts"),
                    () if users.restores => Some("restore history items"),
                    () if !users.schedules.is_empty() => Some("scheduled tasks"),
                    () => None,
                };
                if let Some(reason) = reason {
                    return Err(AppError::conflict(format!("backup location with ID {id:?} has {reason}.")).hint(hint));
                }
            }
            for (schedule, name) in &users.schedules {
                tx.prepare_cached("DELETE FROM schedules WHERE id = ?1")?.execute([schedule])?;
                let detail = format!("together with its location {}", location.name);
                self.audit(tx, actor, &Deed { action: "schedule.delete", object: name, detail: &detail, ok: true })?;
            }
            tx.prepare_cached("DELETE FROM locations WHERE id = ?1")?.execute([id])?;
            let detail = if force { "by force" } else { "" };
            self.audit(tx, actor, &Deed { action: "location.delete", object: &location.name, detail, ok: true })
        })?;
        self.catalogs.forget_location(id);
        self.wake_agents();
        Ok(())
    }

    /// Tries input that is not saved. `id`: the location it is a change of, whose stored secrets stand in for those not given.
    ///
    /// # Errors
    /// Fields that are wrong. What the storage says is in the test.
    pub async fn test_location(&self, actor: &Actor, input: LocationInput, id: Option<&str>) -> Result<LocationTest, AppError> {
        actor.must_be(Role::Administrator)?;
        let stored = match id {
            Some(id) => {
                let row = self.db.read(|tx| rows::find(tx, id))?;
                if row.kind == input.kind { row.secrets(&self.vault)? } else { LocationSecrets::default() }
            }
            None => LocationSecrets::default(),
        };
        let input = rules::checked(input, &stored)?;
        let place = Place {
            location_id: id.unwrap_or_default().to_owned(),
            kind: input.kind,
            settings: input.settings,
            secrets: input.secrets,
            folder: String::new(),
        };
        Ok(self.try_everywhere(place).await?.shown())
    }

    /// Tries a location as it is saved, and remembers what came of it.
    ///
    /// # Errors
    /// When there is no such location. What the storage says is in the test.
    pub async fn test_saved_location(&self, actor: &Actor, id: &str) -> Result<LocationTest, AppError> {
        actor.must_be(Role::Operator)?;
        let trial = self.try_everywhere(self.place(id, "")?).await?;
        let now = self.clock.now();
        self.db.write(|tx| -> Result<(), AppError> {
            // Deleted meanwhile: nothing to remember.
            if rows::find(tx, id).is_ok() {
                rows::remember(tx, id, &trial, now)?;
            }
            Ok(())
        })?;
        Ok(trial.shown())
    }

    /// What lies in the location, by folder: also what nobody here made.
    ///
    /// # Errors
    /// When there is no such location.
    pub fn location_folders(&self, id: &str) -> Result<Vec<LocationFolder>, AppError> {
        self.db.read(|tx| rows::find(tx, id))?;
        let clusters = self.folder_clusters()?;
        let one = |view: &FolderView| LocationFolder {
            folder: view.folder.clone(),
            backups: u32::try_from(view.catalog.backups.len()).unwrap_or(u32::MAX),
            replica_sets: view.catalog.replica_sets().iter().map(ToString::to_string).collect(),
            cluster: clusters.get(&(id.to_owned(), view.folder.clone())).cloned(),
        };
        let views = self.folder_views();
        let of_it = views.iter().filter(|view| view.location_id == id);
        Ok(of_it
            .map(|view| one(view))
            .filter(|folder| folder.cluster.is_some() || folder.backups > 0 || !folder.replica_sets.is_empty())
            .collect())
    }

    /// Everything that is needed to open a folder of a location, secrets included: for agents.
    ///
    /// # Errors
    /// When there is no such location, or its secrets cannot be decrypted.
    pub fn place(&self, location_id: &str, folder: &str) -> Result<Place, AppError> {
        Ok(self.place_and_change(location_id, folder)?.0)
    }

    /// With the time of the location's last change.
    pub(super) fn place_and_change(&self, location_id: &str, folder: &str) -> Result<(Place, String), AppError> {
        let row = self.db.read(|tx| rows::find(tx, location_id))?;
        let secrets = row.secrets(&self.vault)?;
        let place = Place { location_id: row.id, kind: row.kind, settings: row.settings, secrets, folder: folder.to_owned() };
        Ok((place, row.updated_at.to_string()))
    }

    /// The clusters of ours that use a folder, by location and folder.
    ///
    /// # Errors
    /// Only of the database.
    pub fn folder_clusters(&self) -> Result<BTreeMap<(String, String), String>, AppError> {
        let mut clusters = BTreeMap::new();
        let labels: BTreeSet<String> = self.db.read(|tx| -> Result<_, AppError> {
            let sql = "SELECT location_id, folder, cluster FROM jobs
                       WHERE kind = 'backup' AND location_id IS NOT NULL AND folder IS NOT NULL AND cluster IS NOT NULL GROUP BY 1, 2, 3
                       UNION ALL SELECT location_id, folder, cluster FROM schedules";
            let mut statement = tx.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
            for row in rows {
                let (folder, cluster) = row?;
                clusters.insert(folder, cluster);
            }
            let mut statement = tx.prepare_cached("SELECT DISTINCT cluster FROM services WHERE cluster IS NOT NULL")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })?;
        for view in self.folder_views() {
            if labels.contains(&view.folder) {
                clusters.entry((view.location_id.clone(), view.folder.clone())).or_insert_with(|| view.folder.clone());
            }
        }
        Ok(clusters)
    }

    pub(super) fn location_ids(&self) -> Result<Vec<String>, AppError> {
        self.db.read(|tx| {
            Ok(tx.prepare_cached("SELECT id FROM locations ORDER BY id")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }

    /// What each service's agent found at its last tests, by service.
    pub(super) fn location_reaches(&self, tx: &Transaction<'_>) -> Result<BTreeMap<String, Vec<LocationReach>>, AppError> {
        Ok(rows::reaches(tx)?)
    }

    fn shown_location(&self, tx: &Transaction<'_>, row: LocationRow, views: &[std::sync::Arc<FolderView>]) -> Result<Location, AppError> {
        let of_it = views.iter().filter(|view| view.location_id == row.id);
        let (mut backups, mut stored_bytes) = (0_usize, 0_u64);
        for view in of_it {
            backups += view.catalog.backups.len();
            stored_bytes = stored_bytes.saturating_add(view.bytes);
        }
        let schedules =
            tx.prepare_cached("SELECT COUNT(*) FROM schedules WHERE location_id = ?1")?.query_row([&row.id], |row| row.get(0))?;
        Ok(Location {
            url: oplogue_api::place::url(row.kind, &row.settings),
            has_secret: row.has_secrets(),
            server_reach: rows::server_reach(tx, &row.id)?,
            id: row.id,
            name: row.name,
            description: row.description,
            kind: row.kind,
            settings: row.settings,
            schedules,
            backups: u32::try_from(backups).unwrap_or(u32::MAX),
            stored_bytes,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    fn store(&self, tx: &Transaction<'_>, id: &str, input: &LocationInput, now: Timestamp, new: bool) -> Result<(), AppError> {
        let sealed = (!input.secrets.is_empty()).then(|| self.vault.seal(&rows::belongs_to(id), json(&input.secrets).as_bytes()));
        let values = params![id, input.name, input.description, word(input.kind), json(&input.settings), sealed, now.to_string()];
        let sql = if new {
            "INSERT INTO locations (id, name, description, kind, settings, secrets, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"
        } else {
            "UPDATE locations SET name = ?2, description = ?3, kind = ?4, settings = ?5, secrets = ?6, updated_at = ?7 WHERE id = ?1"
        };
        tx.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// Does the input name the same bytes as the row?
fn same_place(row: &LocationRow, input: &LocationInput) -> bool {
    let key = |settings: &oplogue_api::locations::LocationSettings| {
        (settings.path.clone(), settings.endpoint.clone(), settings.bucket.clone(), settings.prefix.clone(), settings.account.clone())
    };
    key(&row.settings) == key(&input.settings)
}

fn name_is_free(tx: &Transaction<'_>, name: &str, id: &str) -> Result<(), AppError> {
    if tx.prepare_cached("SELECT 1 FROM locations WHERE name = ?1 AND id <> ?2")?.exists([name, id])? {
        let message = format!("Location with name {name:?} already exists.");
        return Err(AppError { fields: vec![FieldError::new("name", message.clone())], ..AppError::conflict(message) });
    }
    Ok(())
}

/// What speaks of a location.
struct Users {
    /// Id and name.
    schedules: Vec<(String, String)>,
    /// A job that is not over, as its title says.
    jobs: Option<String>,
    restores: bool,
}

fn users_of(tx: &Transaction<'_>, id: &str) -> Result<Users, AppError> {
    let schedules = tx
        .prepare_cached("SELECT id, name FROM schedules WHERE location_id = ?1 ORDER BY name")?
        .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let open = "SELECT title FROM jobs WHERE location_id = ?1 AND state NOT IN ('done', 'failed', 'cancelled') ORDER BY seq LIMIT 1";
    let jobs = tx.prepare_cached(open)?.query_map([id], |row| row.get(0))?.next().transpose()?;
    let restores = tx.prepare_cached("SELECT 1 FROM jobs WHERE location_id = ?1 AND kind = 'restore'")?.exists([id])?;
    Ok(Users { schedules, jobs, restores })
}

#[cfg(test)]
mod tests;
