//! The overview, one cluster, the timeline.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use oplogue_api::alerts::AlertState;
use oplogue_api::backups::BackupMode;
use oplogue_api::timelines::Timeline;
use oplogue_pages::components::timeline_strip::Window;
use oplogue_pages::pages::timeline::TimelineChoice;
use oplogue_pages::pages::{cluster, overview, timeline};
use oplogue_pages::urls;
use serde::Deserialize;

use super::door::Door;
use crate::app::alerts::AlertFilter;
use crate::app::jobs::JobFilter;
use crate::app::{App, AppError};
use crate::http::ApiPath;

/// Of the jobs and alerts that an overview lists.
const SOME: u32 = 20;

pub fn router() -> Router<App> {
    Router::new().route(urls::OVERVIEW, get(overview)).route(urls::CLUSTER, get(one_cluster)).route(urls::TIMELINE, get(one_timeline))
}

async fn overview(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    let schedules = app.schedules()?;
    let all = app.clusters()?;
    // More than that are a table without drawings.
    let places = if all.len() > overview::DRAWN_MAX { BTreeMap::new() } else { places(&app)? };
    let mut clusters = Vec::new();
    for cluster in all {
        // Where its PITR job writes comes first, then whatever else holds something of it.
        let place = places.get(&cluster.name).and_then(|places| places.first());
        let timeline = match place {
            Some((location, folder)) => Some(app.timeline(location, folder)?),
            None => None,
        };
        clusters.push(overview::ClusterLine { cluster, timeline });
    }
    let page = overview::Page {
        clusters,
        locations: app.locations()?.len(),
        services: app.services()?.len(),
        pitr_schedules: schedules.iter().filter(|schedule| schedule.input.enabled && schedule.input.mode == BackupMode::Pitr).count(),
        running: app.jobs(&JobFilter { open: true, ..JobFilter::default() }, None, SOME)?.items,
        alerts: firing(&app, &door, None)?,
    };
    Ok(door.show(overview::view(&door.frame, &page)))
}

fn firing(app: &App, door: &Door, cluster: Option<String>) -> Result<Vec<oplogue_api::alerts::Alert>, AppError> {
    let filter = AlertFilter { state: Some(AlertState::Firing), cluster, ..AlertFilter::default() };
    Ok(app.alerts(&door.actor, &filter, SOME)?.items)
}

/// Location and folder of what each cluster has, the ones that schedules write to now first.
fn places(app: &App) -> Result<BTreeMap<String, Vec<(String, String)>>, AppError> {
    let mut places: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut schedules = app.schedules()?;
    schedules.sort_by_key(|schedule| (!schedule.input.enabled, schedule.input.mode != BackupMode::Pitr));
    for schedule in schedules {
        let folder = schedule.input.folder.clone().unwrap_or_else(|| schedule.cluster.clone());
        add(places.entry(schedule.cluster).or_default(), (schedule.input.location_id, folder));
    }
    for ((location, folder), cluster) in app.folder_clusters()? {
        add(places.entry(cluster).or_default(), (location, folder));
    }
    Ok(places)
}

fn add(places: &mut Vec<(String, String)>, place: (String, String)) {
    if !places.contains(&place) {
        places.push(place);
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    location_id: String,
    folder: String,
    from: Option<String>,
    to: Option<String>,
}

impl Shown {
    fn window(&self) -> Option<Window> {
        Window::asked_for(self.from.as_deref(), self.to.as_deref())
    }
}

async fn one_cluster(
    State(app): State<App>,
    door: Door,
    ApiPath(name): ApiPath<String>,
    Query(shown): Query<Shown>,
) -> Result<Response, AppError> {
    let cluster = app.cluster(&name)?;
    let places = places(&app)?.remove(&name).unwrap_or_default();
    let timelines = places.iter().map(|(location, folder)| app.timeline(location, folder)).collect::<Result<Vec<Timeline>, _>>()?;
    let page = cluster::Page {
        timelines,
        window: shown.window(),
        services: app.services()?.into_iter().filter(|service| service.cluster.as_deref() == Some(&name)).collect(),
        schedules: app.schedules()?.into_iter().filter(|schedule| schedule.cluster == name).collect(),
        jobs: app.jobs(&JobFilter { cluster: Some(name.clone()), ..JobFilter::default() }, None, SOME)?.items,
        cluster,
    };
    Ok(door.show(cluster::view(&door.frame, &page)))
}

/// Folders that have something in them, those of clusters first.
pub(super) fn choices(app: &App) -> Result<Vec<TimelineChoice>, AppError> {
    let clusters = app.folder_clusters()?;
    let names: BTreeMap<String, String> = app.locations()?.into_iter().map(|location| (location.id, location.name)).collect();
    let mut choices: Vec<TimelineChoice> = app
        .folder_views()
        .iter()
        .filter(|view| !view.catalog.backups.is_empty() || !view.catalog.slices.is_empty())
        .map(|view| TimelineChoice {
            location_name: names.get(&view.location_id).cloned().unwrap_or_default(),
            cluster: clusters.get(&(view.location_id.clone(), view.folder.clone())).cloned(),
            location_id: view.location_id.clone(),
            folder: view.folder.clone(),
        })
        .collect();
    choices.sort_by(|one, other| {
        (one.cluster.is_none(), &one.cluster, &one.location_name, &one.folder).cmp(&(
            other.cluster.is_none(),
            &other.cluster,
            &other.location_name,
            &other.folder,
        ))
    });
    Ok(choices)
}

async fn one_timeline(State(app): State<App>, door: Door, Query(shown): Query<Shown>) -> Result<Response, AppError> {
    let choices = choices(&app)?;
    let chosen = match choices.as_slice() {
        _ if !shown.location_id.is_empty() => Some((shown.location_id.clone(), shown.folder.clone())),
        [only] => Some((only.location_id.clone(), only.folder.clone())),
        _ => None,
    };
    let timeline = match chosen {
        Some((location, folder)) => Some(app.timeline(&location, &folder)?),
        None => None,
    };
    Ok(door.show(timeline::view(&door.frame, &timeline::Page { choices, timeline, window: shown.window() })))
}
